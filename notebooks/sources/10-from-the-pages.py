# One source of two notebooks: `notebooks/bilingual.py` writes them.

# %% en
# # From the pages
#
# Five product pages introduced DeepSeek-V3.2-Exp to many readers: a guide by CometAPI in Polish, German and Dutch (one
# text), CometAPI's model page in Traditional Chinese, and wcode.net's API page in Simplified Chinese. Here is each of
# their examples as a cell, in our own words, beside the body that it sends to the host of the page.
#
# The answers come from the **embedded model**, or, where it is not installed, from a recording of it: then run the line
# with `unpack` too. Nothing leaves this machine: what goes to a host is only drawn.

# %% zh
# # 从产品页面到单元格
#
# 有五个产品页面向许多读者介绍了 DeepSeek-V3.2-Exp：CometAPI 的指南（波兰语、德语、荷兰语，同一篇文字）、CometAPI 的
# 繁体中文模型页，以及 wcode.net 的简体中文 API 页。这里把它们的每个示例写成一个单元格（用我们自己的话），旁边是它会
# 发给该页面主机的请求体。
#
# 回答来自**内置模型**；没有安装它时，来自它的录制：请同时运行带 `unpack` 的那一行。没有任何内容离开本机：发给主机的
# 请求只画出来，不发送。

# %% magic
# %load_ext deepseek_jupyter
# %config DeepSeek.provider = "local"
# # %deepseek unpack packs/10-from-the-pages.dsrec

# %% code
import json

import deepseek_jupyter as ds

MINUTES = """Ada: the beta slips to 12 May, the import is not ready.
Ben: then I move the workshop to 19 May and tell the two schools.
Cleo: hosting costs 240 a month; we stay below 300 if logs are kept for 30 days."""


def sends(prompt, **options):
    """Where a question would go, and with which body. Nothing is sent."""
    drawn = ds.ask(prompt, dry_run=True, history=False, **options)
    print("POST", drawn.url)
    print(json.dumps(json.loads(drawn.payload), indent=1, ensure_ascii=False))
    return drawn


# %% en
# ## The first request (the three guides, with curl)
#
# A system message, a user message that asks for a summary in three points, at most 512 tokens, in one piece. First the
# answer, then what the same question posts to CometAPI, and the same as a line for a shell. The key is a variable there;
# it is in no cell.

# %% zh
# ## 第一个请求（三篇指南，用 curl）
#
# 一条系统消息，一条要求用三点总结的用户消息，最多 512 个 token，一次返回。先看回答，再看同一个问题发给 CometAPI 的内容，
# 以及同样的 shell 命令。密钥在其中只是一个变量，不在任何单元格里。

# %% magic
# %%ds -s "You are a helpful assistant." -t 0 --max-tokens 512 --no-stream --no-history
# Sum these minutes up in three short points.
#
# {{ MINUTES }}

# %% code
first = sends(
    f"Sum these minutes up in three short points.\n\n{MINUTES}",
    provider="cometapi",
    system="You are a helpful assistant.",
    max_tokens=512,
    stream=False,
)
assert first.url == "https://api.cometapi.com/v1/chat/completions"
assert first.body["model"] == "deepseek-v3.2-exp"
first.as_code("curl")

# %% en
# ## With Python and an HTTP library (the three guides)
#
# Action items out of notes, at most 800 tokens, posted to DeepSeek itself. An error status raises there as here: a
# cell that fails stops Run All, and the exception says what to do.

# %% zh
# ## 用 Python 和 HTTP 库（三篇指南）
#
# 从笔记中提取待办事项，最多 800 个 token，发给 DeepSeek 官方。出错状态在那里和这里都会抛出异常：失败的单元格会停下
# “全部运行”，异常会说明怎么办。

# %% code
reply = ds.ask(
    f"List the action items in these notes, one line each: who, what, until when.\n\n{MINUTES}",
    temperature=0,
    max_tokens=200,
    stream=False,
    history=False,
)

# %% code
second = sends(
    f"List the action items in these notes, one line each: who, what, until when.\n\n{MINUTES}",
    provider="deepseek",
    model="deepseek-v3.2-exp",
    max_tokens=800,
    stream=False,
)
second.as_code("python")

# %% en
# ## Thinking (the guides, the model page, wcode.net)
#
# CometAPI has a model id for each mode, DeepSeek two names, wcode.net a switch in the body. Here it is one flag, and
# each host gets its own form of it. The thinking stands beside the answer: `reasoning_content` on the wire,
# `reply.reasoning` here.

# %% zh
# ## 思考（指南、模型页、wcode.net）
#
# CometAPI 每种模式有一个模型 ID，DeepSeek 有两个名字，wcode.net 在请求体里有一个开关。这里只是一个选项，每个主机得到
# 它自己的写法。思考内容与回答并列：线路上叫 `reasoning_content`，这里叫 `reply.reasoning`。

# %% magic
# %%ds --think -t 0 --max-tokens 600 --no-history --out thought
# A ticket costs 12 euros, children pay half. What do two adults and three children pay?

# %% code
print(len(thought.reasoning or ""), "characters of thinking,", len(thought.text), "of answer")

# %% code
QUESTION = "What do two adults and three children pay?"
for think in (True, False):
    assert (
        sends(QUESTION, provider="cometapi", think=think)
        .body["model"]
        .endswith("-thinking" if think else "-nothinking")
    )
    body = sends(QUESTION, provider="wcode", think=think, stream=False).body
    assert body["reasoning"] == {"enabled": think}

# %% code
for mode in ("deepseek-chat", "deepseek-reasoner"):
    assert sends(QUESTION, provider="deepseek", model=mode).body["model"] == mode

# %% en
# ## Streaming, with the tokens at its end (the three guides)
#
# `stream` and `stream_options` are in the body without being asked for. The deltas can be taken one by one; a recording
# keeps when each of them came, so `--pace 1` plays it as it was.

# %% zh
# ## 流式输出，末尾带 token 数（三篇指南）
#
# 不用写，请求体里就有 `stream` 和 `stream_options`。增量可以逐个取；录制会保存每个增量到达的时刻，所以 `--pace 1`
# 会按原来的节奏重放。

# %% code
asked = ds.stream("Count from one to five in words.", temperature=0, history=False)
for delta in asked:
    print(delta.text, end="")

# %% code
third = sends("Count from one to five in words.", provider="cometapi")
assert third.body["stream_options"] == {"include_usage": True}

# %% en
# ## JSON (the guides, wcode.net)
#
# JSON mode needs the word in the prompt; it is put there where you have not written it. A type instead of the mode also
# checks the answer, and gives a value of that type.

# %% zh
# ## JSON（指南、wcode.net）
#
# JSON 模式要求提示里出现这个词；您没有写时会自动补上。给出一个类型而不是模式，还会检查回答，并返回该类型的值。

# %% code
from dataclasses import dataclass


@dataclass
class Task:
    who: str
    until: str


ds.ask("Ben moves the workshop to 19 May.", schema=Task, temperature=0, history=False).data

# %% code
fourth = sends(
    "Who does what? Ben moves the workshop.", provider="wcode", format="json", stream=False
)
assert fourth.body["response_format"] == {"type": "json_object"}

# %% en
# ## Functions, strictly (the guides)
#
# A function of this notebook is a tool. With `strict`, DeepSeek's beta address holds the model to its schema, and the
# question goes there. A function given as the API words it is not ours to run: it is only passed on.

# %% zh
# ## 严格的函数调用（指南）
#
# 本笔记本里的函数就是工具。带 `strict` 时，DeepSeek 的 beta 地址会让模型严格遵守模式，问题就发到那里。按 API 的写法
# 给出的函数不由我们运行，只会转交。

# %% code
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = {"name": "weather", "strict": True, "parameters": PARAMETERS}
fifth = sends(
    "Is it raining in Ulm?", provider="deepseek", tools=[{"type": "function", "function": WEATHER}]
)
assert fifth.url == "https://api.deepseek.com/beta/chat/completions"

# %% en
# ## Every parameter of wcode.net
#
# The page's table, as this package checks it: a value out of range is refused before anything is sent, with the range
# in its message. Then all of them in one body.

# %% zh
# ## wcode.net 的全部参数
#
# 该页的参数表，也是本软件包检查的依据：超出范围的值在发送前就被拒绝，消息里写明范围。然后是包含全部参数的一个请求体。

# %% magic
# %deepseek parameters wcode

# %% code
EVERY = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": 0,
    "frequency_penalty": 0.0,
    "presence_penalty": 0.0,
    "repetition_penalty": 1.0,
    "min_p": 0.0,
    "top_a": 0.0,
    "seed": 7,
    "max_tokens": 100,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 20,
    "structured_outputs": True,
    "stop": ["END"],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "verbosity": "medium",
}
sixth = sends("Hello!", provider="wcode", stream=False, **EVERY)
assert sixth.url == "https://wcode.net/api/gpt/v1/chat/completions"
assert {name: sixth.body[name] for name in EVERY} == EVERY
try:
    sends("Hello!", provider="wcode", temperature=2.5)
except ds.DeepSeekError as error:
    print(error)

# %% code
sends("Hello!", provider="wcode", stream=False).as_code("openai")

# %% en
# ## The address that the model page prints
#
# It names CometAPI's `/v1/messages`, which speaks Anthropic's form. One setting changes the wire; cells stay as they are.

# %% zh
# ## 模型页印出的地址
#
# 它写的是 CometAPI 的 `/v1/messages`，用的是 Anthropic 的格式。一项设置就能更换线路，单元格不用改。

# %% code
ds.get_session().config.wire = "messages"
seventh = sends("Hello!", provider="cometapi", max_tokens=64)
ds.get_session().config.wire = ""
assert seventh.url == "https://api.cometapi.com/v1/messages"

# %% en
# ## Prices
#
# As of October 2025 the model page printed 0.22 and 0.35 dollars a million tokens, wcode.net 0.0035 and 0.0055 yuan a
# thousand. A dry run has the price of what it draws.

# %% zh
# ## 价格
#
# 2025 年 10 月，模型页写的是每百万 token 输入 0.22 美元、输出 0.35 美元，wcode.net 是每千 token 0.0035 元和 0.0055 元。
# 试运行会给出所画请求的价格。

# %% code
for host in ("cometapi", "wcode"):
    print(host, ds.ask(MINUTES, provider=host, max_tokens=512, dry_run=True, history=False).summary)

# %% en
# ## What the pages advise
#
# V3.2-Exp is an experiment: some tasks get worse. Try your own questions on both models before you switch, keep what
# was answered, and move over in steps. `%deepseek pack` keeps this notebook's answers as one file, and
# `deepseek-jupyter replay` runs it from that file, without a model.

# %% zh
# ## 页面给出的建议
#
# V3.2-Exp 是实验版：有些任务会变差。切换前请用您自己的问题在两个模型上试一试，保存回答，分步迁移。`%deepseek pack`
# 把本笔记本的回答存成一个文件，`deepseek-jupyter replay` 不用模型就能从该文件运行它。
