"""``python -m deepseek_jupyter`` is ``deepseek-jupyter``."""

import sys

from .cli import main

sys.exit(main())
