"""What is too costly for every document: detectors and judges on a sample."""
