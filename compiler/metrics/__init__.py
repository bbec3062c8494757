"""What retrieval and super-resolution are measured by; NumPy in, numbers out."""

from spikec.metrics.codes import Codes, pack
from spikec.metrics.images import luma, psnr, ssim
from spikec.metrics.ranking import Ranking, average_precision, cumulative_gain, discounted_gain
from spikec.metrics.retrieval import Retrieval, retrieval
from spikec.metrics.search import Found, distances, search

__all__ = [
    "Codes",
    "Found",
    "Ranking",
    "Retrieval",
    "average_precision",
    "cumulative_gain",
    "discounted_gain",
    "distances",
    "luma",
    "pack",
    "psnr",
    "retrieval",
    "search",
    "ssim",
]
