"""What happened: the envelope of events and how they reach who wants them."""
