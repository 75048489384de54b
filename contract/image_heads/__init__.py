"""What an image file says of its size before any pixel is decoded: one module for each family of formats.

For :mod:`contract.image_costs`. The API and the workers both need it, so there is neither torch nor Pillow here, and
each reader takes a bounded number of steps whatever the file holds. A head that is wrong is not refused here: the
decoders do that.
"""
