"""Changes to cells: asked for, decided on, written, taken back.

* fix        `propose`, `accept`, `reject`, `revert`; the cells that ran, and the last error
* placement  code into cells through a page, else into the next input
"""
