"""SpikeSR (arXiv 2503.04223): enlarging images by spiking blocks and attention between patches.

python -m examples.spikesr --data skimage --scale 2
"""
