-- Makes wrk say in one line of JSON what the benches need (milliseconds).
done = function(summary, latency)
  local e = summary.errors
  local failed = e.status + e.connect + e.read + e.write + e.timeout
  local line = '\n{"count":%d,"seconds":%.6f,"failed":%d,"p50":%.4f,"p99":%.4f}\n'
  local p50, p99 = latency:percentile(50) / 1000, latency:percentile(99) / 1000
  io.write(string.format(line, summary.requests, summary.duration / 1e6, failed, p50, p99))
end
