namespace Silo.GcsEmulator.Http;

/// <summary>What a request is for; fault plans and statistics name it as here, in camel case.</summary>
internal enum RequestKind
{
    InsertObject,
    StartUpload,
    ContinueUpload,
    CancelUpload,
    GetObject,
    GetMedia,
    ListObjects,
    DeleteObject,
    PatchObject,
    UpdateObject,
    CopyObject,
    RewriteObject,
    CreateBucket,
    GetBucket,
    ListBuckets,
    DeleteBucket,
    Control,
}
