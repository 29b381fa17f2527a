"""SFT, DPO and GenRM over TRL's trainers: configured here, never forked. One home for what the three share:

tokens.py       chat rows -> token ids, completion marked; longer rows are dropped and counted
batching.py     what a step sees: the global batch and the order of the rows
precision.py    number formats: what they ask of the trainer and the machine
fp8*.py         FP8 layers: conversion, plain names, emulation, audit
optimizer.py    Adam with its state in fewer bits; rounded_adam.py emulates it
policy.py       a policy folder in and out
loop.py         TRL's arguments, the run of a trainer
reference.py    DPO's reference log-probabilities: one sharded pass, kept by what decides them
preference.py   TRL's DPO trainer over rows that are ready
identity.py     the code and the libraries that train, the policy a training starts from
checkpoints.py  resumable checkpoints: whose they are
resuming.py     where a training goes on from, and who keeps its checkpoints
saving.py       the trainer's doors for a checkpoint; ending.py what a SIGTERM waits for
snapshot.py     a training's state as objects, and back; layout.py its tensors by name, tensor_files.py their files
execution.py    settings of this machine
commands.py     `proofline checkpoints`
"""
