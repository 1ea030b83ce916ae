"""What tests share: servers, kernels, pages and material. Each file's first line says more.

* servers: `scripted` (byte by byte), `counting` (many requests); `wording`, `wording_fim`, `wires`
  and `tokens` have what they say, `recordings` and `histories` what real hosts said, `validator`
  DeepSeek's own check of requests
* kernels and pages: `kernels`, `shells`, `page`, `ghosts`, `notebooks`
* questions: `asking`, `rebuilt`, `saving`, `growth`
* material: `framing` (frames of every library), `documents`, `forms`, `fuzzing`, `later`
* rules: `catalogue` (the texts that need a translation), `guard` (no test leaves the machine)
"""
