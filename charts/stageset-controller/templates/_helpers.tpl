{{/*
Name of the namespaced objects: the chart's, with the release in front unless it already holds it,
so that two releases in one namespace don't meet.
*/}}
{{- define "stageset-controller.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/*
Name of the cluster-scoped objects: chart, namespace and release. The colons can't appear in the
parts, so no two releases of a cluster can produce the same name.
*/}}
{{- define "stageset-controller.clusterName" -}}
{{- printf "%s:%s:%s" .Chart.Name .Release.Namespace .Release.Name -}}
{{- end -}}

{{- define "stageset-controller.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "stageset-controller.labels" -}}
{{ include "stageset-controller.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "stageset-controller.subjects" -}}
- kind: ServiceAccount
  name: {{ include "stageset-controller.name" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}
