{{/* Names and labels. */}}

{{- define "commerce-connector.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The beginning of every name: the release's, with the chart's where it does not say so already. */}}
{{- define "commerce-connector.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "commerce-connector.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "commerce-connector.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "commerce-connector.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* What selects everything of this release. */}}
{{- define "commerce-connector.releaseSelector" -}}
app.kubernetes.io/name: {{ include "commerce-connector.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of what belongs to the whole release. */}}
{{- define "commerce-connector.labels" -}}
{{ include "commerce-connector.releaseSelector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Labels of what belongs to one destination: root, entry. */}}
{{- define "commerce-connector.entryLabels" -}}
{{ include "commerce-connector.labels" .root }}
{{ include "commerce-connector.label" . }}
{{- end -}}

{{/* Which destination a thing belongs to. The check pod has this label, too, and so its network policy. */}}
{{- define "commerce-connector.label" -}}
commerce-connector/destination: {{ .entry.key }}
{{- end -}}

{{/* Labels of the pods of one destination. Without the chart's version: a new chart alone replaces no pod. */}}
{{- define "commerce-connector.podLabels" -}}
{{ include "commerce-connector.releaseSelector" .root }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{ include "commerce-connector.label" . }}
{{- with merge (dict) (.entry.podLabels | default dict) (.root.Values.commonLabels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What selects the pods of one destination that carry events. */}}
{{- define "commerce-connector.podSelector" -}}
{{ include "commerce-connector.releaseSelector" .root }}
app.kubernetes.io/component: connector
{{ include "commerce-connector.label" . }}
{{- end -}}

{{/* The annotations of a thing: root, and its own as "annotations"; nothing when there are none. */}}
{{- define "commerce-connector.annotations" -}}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
