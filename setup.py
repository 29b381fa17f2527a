"""Everything about the package stands in pyproject.toml; this is what setuptools 84 gets wrong about it.

An editable install asks the distribution for `has_data`, which it has only as `has_data_files`: so data files, here
`proofline.pth`, would come with a wheel but not with `pip install --editable`.
"""

from setuptools import Distribution, setup


class WithData(Distribution):
    has_data = Distribution.has_data_files


setup(distclass=WithData)
