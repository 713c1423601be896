"""What is read: bags, data set folders, images and videos, with their ground truth."""
