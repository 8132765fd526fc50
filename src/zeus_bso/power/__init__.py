"""Which power limit to train at. Pure: values in, decisions out. Client, server and simulator use it alike."""
