"""What becomes of decoded pixels on their way to a network: a module for each step, called by the preprocessing.

The steps that are older lie beside this folder.
"""
