"""The same recipe under several run seeds: does an effect hold, and how much of what differs is chance of which kind?

`run` makes one DVC experiment a seed, `measures` reads what each one's report says, `spread` is the statistics,
`table` shows it. The run seed decides problems, demonstrations, order of training, samples and test set; the base and
the split of template skeletons stay.
"""
