"""Guidance, refined: what has been added to w (C - U), one idea a file.

    scale         keep the size that guesses have: rescale, norm, threshold
    projection    which part of the difference helps: APG, tangential damping, zero star
    frequency     large shapes and fine texture guided apart
    exposure      small mends without a second opinion: epsilon scaling, direction
    interval      guide for a part of the walk only
    prompts       more prompts than two: dual guidance, perpendicular negatives
    weaker        ask a network that was weakened: PAG, skipped layers
    blurred       ask about a blurred picture: SAG
    negative      say the negative within attention: NAG (`leading`, `beside`)

Everything is computed for each picture of a batch by itself.
"""
