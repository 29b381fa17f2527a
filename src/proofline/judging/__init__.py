"""Who wrote the better solution, by a judge that reads both: a model behind an API, or the trained verifier.

sides.py     two policies' solutions of the same problems, and what their identity already settles
endpoint.py  a strong model, asked in both orders
genrm.py     the verifier's P(Yes) of each side

The default, judging by the reference answer alone, is `evaluation/judge.py`: it reads grades, not solutions.
"""
