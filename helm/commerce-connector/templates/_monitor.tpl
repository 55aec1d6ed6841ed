{{/* One endpoint of a PodMonitor or ServiceMonitor. */}}
{{- define "commerce-connector.endpoint" -}}
port: http
path: /metrics
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
relabelings:
  # Two entries may have the same destination, which is a label already: this one tells them apart.
  - sourceLabels: [__meta_kubernetes_pod_label_commerce_connector_destination]
    targetLabel: connector
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "commerce-connector.monitor" -}}
metadata:
  name: {{ include "commerce-connector.fullname" .root | quote }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels:
    {{- include "commerce-connector.labels" (dict "root" .root "labels" .monitor.labels) | nindent 4 }}
  {{- with include "commerce-connector.annotations" (dict "root" .root) }}
  {{- . | trim | nindent 2 }}
  {{- end }}
spec:
  jobLabel: app.kubernetes.io/name
  selector:
    matchLabels:
      {{- include "commerce-connector.releaseSelector" .root | nindent 6 }}
      app.kubernetes.io/component: connector
{{- end -}}
