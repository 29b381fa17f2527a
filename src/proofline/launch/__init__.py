"""Run a given function on the machines that the environment names. Knows no maths and decides no result.

run.py         `launch`: one function in every process; `spread`: shards of a list over the processes
kept.py        finished shards, for a stage that is started again; keeping.py whose they are, and where
work.py        what one process does: takes its job, checks how many take part, calls the function
instructions.py  which CPU instructions they use, so that other machines get the same bits
processes.py   one function in several processes of this machine (launcher `accelerate`)
probe.py       how fast the processor is in a number format
pool.py        shards of a list over processes of this machine
cluster.py     a Ray cluster for the duration of a stage (launcher `ray`)
ray.py         one function in every worker of it
ray_shards.py  shards of a list over its workers
"""

from proofline.launch.keeping import keeping
from proofline.launch.run import LaunchError, launch, spread

__all__ = ["LaunchError", "keeping", "launch", "spread"]
