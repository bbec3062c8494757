"""Fine-tunes programs, and quantised networks, by gradient descent on labelled samples."""
