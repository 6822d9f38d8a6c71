"""What the desk keeps: schema, transactions, migrations, exports. SQL lives in this package alone.

Imports nothing of `app` but `app.chain`, and never `training`.
"""
