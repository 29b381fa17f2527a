"""Two sets of results held against each other, whoever made them: on identical items, with what the data exclude.

`sides` reads what a person names; `pairing` refuses different items; `compare` tests; `show` and `record` tell.
"""
