"""Run a given function on the machines that the environment names. Knows no maths and decides no result.

run.py         `launch`: one function in every process; `spread`: shards of a list over the processes
work.py        what one process does: takes its job, checks how many take part, calls the function
processes.py   several processes of this machine (launcher `accelerate`)
cluster.py     a Ray cluster for the duration of a stage (launcher `ray`)
ray.py         one function in every worker of it
ray_shards.py  shards of a list over its workers
"""

from proofline.launch.run import LaunchError, launch, spread

__all__ = ["LaunchError", "launch", "spread"]
