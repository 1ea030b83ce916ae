"""What the user types, and what the commands answer.

* arguments  from the line of a magic to a value; pure
* magics     ``%%deepseek``, ``%ds`` and what loading the extension hooks
* completion what Tab offers in cells and lines of ours
* commands   ``%deepseek COMMAND``
* reports    what the commands say of session, providers and the embedded model
* doctor     ``%deepseek doctor``
* rehearsal  whether each question of a notebook has a kept answer
* origins    which cells came from a model
"""
