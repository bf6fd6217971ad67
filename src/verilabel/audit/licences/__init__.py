"""Licences, notices of copyright, and markers that a text is not to be used."""
