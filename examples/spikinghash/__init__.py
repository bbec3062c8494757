"""Spikinghash (arXiv 2501.06786): spikes that find what is alike, by wavelets and attention.

python -m examples.spikinghash --data clips --bits 32
"""
