"""Changes to cells: asked for, decided on, written, taken back.

* fix        `propose`, `accept`, `reject`, `revert`
* cell_runs  the cells that ran in this kernel, and the error that came last
* placement  code into cells through a page, else into the next input
"""
