"""What the product does and costs on a real GPU."""
