"""Methods against each other: same data, weights, augmentation and number of image passes."""
