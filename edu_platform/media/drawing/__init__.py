"""Draw what the platform shows: posters, covers and films, from copy, scripts and SVG illustrations.

Pure functions over Skia and FFmpeg: no Flask, no database, no settings. What differs between houses
(issuer, programme, hotline) comes as arguments, and the same input gives the same bytes.
"""
