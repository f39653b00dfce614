# The app on a server of one's own:  docker build -t afa-viz . && docker run -p 7860:7860 afa-viz
# It answers at localhost. For others, add the name or address that they use:
#   docker run -p 7860:7860 afa-viz python app.py --host 0.0.0.0 --port 7860 --public-name http://192.168.1.7:7860
FROM python:3.12-slim

RUN useradd --create-home --uid 1000 student
WORKDIR /home/student/afa-viz
COPY requirements.txt .
# pip's: the address of torch's wheels without CUDA leaves gigabytes out that a server without a GPU never loads
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir -r requirements.txt
COPY app.py LICENSE README.md ./
COPY afa_viz afa_viz
COPY checkpoints checkpoints

USER student
ENV GRADIO_ANALYTICS_ENABLED=False HF_HUB_OFFLINE=1 PYTHONUNBUFFERED=1
ENV MPLCONFIGDIR=/tmp/matplotlib XDG_CACHE_HOME=/tmp/cache
EXPOSE 7860
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/', timeout=5)"]
CMD ["python", "app.py", "--host", "0.0.0.0", "--port", "7860"]
