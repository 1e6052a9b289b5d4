"""Whether rows in use are still answered as the test rows were: `fuseline drift`."""
