/**
 * A way to a kernel that is at work when the page meets it, after a reload.
 *
 * Lab learns whether a kernel has subshells from its main shell, which answers when the running
 * cell has ended; a comm that is opened before is deaf until then. The control channel always
 * answers: it says what the kernel can, and makes a subshell.
 */
import { KernelMessage } from '@jupyterlab/services';
import type { Kernel } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';

const FEATURE = 'kernel subshells';

/** The id of a new subshell; null where the kernel has none. It lives as long as the kernel. */
export async function newSubshell(kernel: Kernel.IKernelConnection): Promise<string | null> {
  const info = await control(kernel, 'kernel_info_request');
  const features = info['supported_features'];
  if (!Array.isArray(features) || !features.includes(FEATURE)) {
    return null;
  }
  const { subshell_id: id } = await control(kernel, 'create_subshell_request');
  return typeof id === 'string' ? id : null;
}

/** Send a message of a comm to a subshell. */
export function sayOn(
  shell: string,
  kernel: Kernel.IKernelConnection,
  msgType: 'comm_open' | 'comm_msg',
  content: JSONObject
): void {
  const { username, clientId: session } = kernel;
  const options = { msgType, channel: 'shell', username, session, subshellId: shell, content };
  kernel.sendShellMessage(KernelMessage.createMessage(options as never) as never);
}

async function control(
  kernel: Kernel.IKernelConnection,
  msgType: 'kernel_info_request' | 'create_subshell_request'
): Promise<Record<string, unknown>> {
  const { username, clientId: session } = kernel;
  const options = { msgType, channel: 'control', username, session, content: {} };
  const message = KernelMessage.createMessage(options as never) as never;
  const reply: unknown = await kernel.sendControlMessage(message, true).done;
  return (reply as { content?: Record<string, unknown> } | undefined)?.content ?? {};
}
