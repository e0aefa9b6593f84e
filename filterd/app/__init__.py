"""The composition root: builds every object, starts and stops them in order.

Only here may everything be imported. `main.run` is what `filterd run` does.
"""
