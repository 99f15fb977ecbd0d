"""Routes of readers and of editors."""

from edu_platform.library.api import editor, reader

blueprints = [reader.pieces, reader.columns, reader.vocabulary, editor.staff]
