using System.Text;

namespace InferenceServer.Telemetry;

internal static class PlainText
{
    /// <summary>Answers 200 with a text body.</summary>
    public static Task WriteTextAsync(this HttpResponse response, string text, string contentType)
    {
        response.ContentType = contentType;
        return response.WriteAsync(text, Encoding.UTF8, response.HttpContext.RequestAborted);
    }
}
