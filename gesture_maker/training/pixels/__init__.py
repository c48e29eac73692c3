"""Networks over pictures: settings, variants, training, export. All of TensorFlow that classifiers on pixels need."""
