# The two commands of the README:
#   docker build -t curate . && docker run --rm -v "$PWD/runs:/curate/runs" curate
FROM python:3.12-slim
WORKDIR /curate
COPY pyproject.toml README.md LICENSE ./
COPY curate ./curate
RUN pip install --no-cache-dir .
ENTRYPOINT ["curate"]
CMD ["run"]
