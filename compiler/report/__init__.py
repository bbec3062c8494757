"""What there is to say about a graph, as numbers and text; printing is the command line's."""
