/** The extension's icon: a question that is answered. Its colour is the theme's. */
import { LabIcon } from '@jupyterlab/ui-components';

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
<path class="jp-icon3" fill="#616161" d="M4 3h16a2 2 0 0 1 2 2v10a2 2 0 0 1-2 2h-8l-5 4.5V17H4a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2z
m8 2.5c-.4 2.9-1.6 4.1-4.5 4.5 2.9.4 4.1 1.6 4.5 4.5.4-2.9 1.6-4.1 4.5-4.5-2.9-.4-4.1-1.6-4.5-4.5z" fill-rule="evenodd"/>
</svg>`;

export const deepSeekIcon = new LabIcon({ name: 'deepseek-jupyter:icon', svgstr: SVG });
