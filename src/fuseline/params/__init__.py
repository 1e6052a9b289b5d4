"""One typed class per section of `params.yaml`, in a file named like its stage.

Each stage imports its own file only, so that a change in one leaves the others' hashes alone.
"""
