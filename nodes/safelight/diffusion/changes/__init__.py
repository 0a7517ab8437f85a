"""Changes to what a network computes, one idea a file; see `change` for what a change is.

attention     pixels that listen only to themselves, louder or softer, or are overheard
skipping      transformer blocks left out
freeu         what the way up of a U-Net takes from below and from beside
tiles         attention within tiles (HyperTile)
merging       one query for pixels that are alike (ToMe)
shrinking     a smaller picture at the start of the walk (deep shrink)
reuse         answers of earlier steps instead of new ones (EasyCache, LazyCache)
"""
