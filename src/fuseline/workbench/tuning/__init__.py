"""Search for better params: Optuna proposes values, DVC runs each as an experiment."""
