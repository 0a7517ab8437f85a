"""The darkroom: what is done with pictures, masks and latents outside of diffusion.

No networks here, only arithmetic on planes of pixels; the last two axes are always height
and width, so that one function serves pictures [B, C, H, W] and masks [B, H, W] alike.
"""
