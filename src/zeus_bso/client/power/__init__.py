"""Power limits of GPUs: who may set them, which one is best, and how they are restored."""
