"""The checkpoint store: what a long stage keeps of itself, so that it can go on where it was stopped.

place.py     what is asked of a place that keeps objects, and the names they may have
folder.py    a local folder
bucket.py    a prefix of a Google Cloud Storage bucket
manifest.py  the manifest, by which alone a checkpoint exists
store.py     the checkpoints of one training in a place: commit, verify, rotate, collect
writer.py    writing one while the training goes on
cadence.py   how often, from what it was measured to cost
grace.py     whether the time between SIGTERM and the end is enough for one
pieces.py    the finished shards of a stage that samples, grades or verifies
trainings.py all that is kept in a place, for `proofline checkpoints`

No torch here: an object is bytes. What a training puts into them is `training/snapshot.py`.
"""
