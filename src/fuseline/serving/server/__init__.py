"""The predictor over HTTP: what `fuseline serve` runs. `app.py` joins the parts."""
