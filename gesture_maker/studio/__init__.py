"""The studio: collect, train, try and play in a web page that this machine serves to itself.

`server.py` runs it, `app.py` puts it together, `security.py` decides who may talk to it. The page in `static/` is plain HTML, CSS
and JavaScript modules. What the studio does is done by the same code as the commands, in the same folders.
"""
