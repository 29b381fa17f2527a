"""From a policy to solutions: seeds that belong to the sample, a decoding loop of our own, Solution records."""
