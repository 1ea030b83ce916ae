"""What may leave: levels and rules, detectors, withheld values, redaction and restoring.

Pure but for reading policy files.

* `levels`: none < schema < stats < sample < full, and how a policy is written.
* `policy_file`: ``deepseek-policy.toml`` found, read and checked.
* `rules`: what policy files ask of attachments and of a class.
* `detectors`: e-mail addresses, phone numbers, cards, IBANs, keys, names of columns.
* `withheld`: texts that a policy keeps here, found again in any text.
* `redaction`: texts on their way out and pseudonyms on their way back.
"""
