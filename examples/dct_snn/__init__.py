"""DCT-SNN (Garg, Chowdhury, Roy, ICCV 2021): images shown one frequency per step.

python -m examples.dct_snn --data digits --steps 16
"""
