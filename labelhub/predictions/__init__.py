"""What models drew: model versions, predictions, the Predictor protocol."""
